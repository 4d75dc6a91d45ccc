/* SPDX-License-Identifier: Apache-2.0 */
/*
 * web.h - the pages of server/web/, inside the program. The build makes them into text.
 */
#ifndef SERVER_WEB_H
#define SERVER_WEB_H

extern const char web_dashboard[];

#endif /* SERVER_WEB_H */
