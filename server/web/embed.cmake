# SPDX-License-Identifier: Apache-2.0
# Writes every page as a C string of bytes, named after its file: server/web.h declares them. A line
# "include FILE" between the marks of a comment takes that file's text in its place, so that pages
# share styles and scripts and each is still one answer.
set(code "#include \"server/web.h\"\n\n")
foreach(file ${PAGES})
  get_filename_component(name ${file} NAME_WE)
  file(READ ${file} text)
  foreach(part ${PARTS})
    get_filename_component(part_name ${part} NAME)
    string(FIND "${text}" "/* include ${part_name} */" at)
    if(NOT at EQUAL -1)
      file(READ ${part} part_text)
      string(REPLACE "/* include ${part_name} */" "${part_text}" text "${text}")
    endif()
  endforeach()
  if(text MATCHES "/\\* include ([a-z_.]+) \\*/")
    message(FATAL_ERROR "${file} includes ${CMAKE_MATCH_1}, which is not in server/web/")
  endif()
  string(HEX "${text}" bytes)
  string(REGEX REPLACE "(..)" "'\\\\x\\1'," bytes "${bytes}")
  string(REPLACE "'\\x0a'," "'\\x0a',\n" bytes "${bytes}") # a line for a line
  string(APPEND code "const char web_${name}[] = {${bytes}0};\n")
endforeach()
file(WRITE ${OUT} "${code}")
