# SPDX-License-Identifier: Apache-2.0
# Writes every page as a C string of bytes, named after its file: server/web.h declares them.
set(code "#include \"server/web.h\"\n\n")
foreach(file ${PAGES})
  get_filename_component(name ${file} NAME_WE)
  file(READ ${file} bytes HEX)
  string(REGEX REPLACE "(..)" "'\\\\x\\1'," bytes "${bytes}")
  string(REPLACE "'\\x0a'," "'\\x0a',\n" bytes "${bytes}") # a line for a line
  string(APPEND code "const char web_${name}[] = {${bytes}0};\n")
endforeach()
file(WRITE ${OUT} "${code}")
