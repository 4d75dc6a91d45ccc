# SPDX-License-Identifier: Apache-2.0
# Writes the verifier's files as bytes: server/verifier.h declares them.
set(table "")
set(code "#include \"server/verifier.h\"\n\n")
list(SORT FILES)
foreach(file ${FILES})
  get_filename_component(name ${file} NAME)
  string(MAKE_C_IDENTIFIER ${name} variable)
  file(READ ${file} bytes HEX)
  string(REGEX REPLACE "(..)" "'\\\\x\\1'," bytes "${bytes}")
  string(REPLACE "'\\x0a'," "'\\x0a',\n" bytes "${bytes}") # a line for a line
  string(APPEND code "static const char ${variable}[] = {${bytes}};\n")
  string(APPEND table "    {\"${name}\", ${variable}, sizeof(${variable})},\n")
endforeach()
string(APPEND code "\nconst struct evidence_file verifier_files[] = {\n${table}};\n")
string(APPEND code "const int verifier_file_count = sizeof(verifier_files) / sizeof(verifier_files[0]);\n")
file(WRITE ${OUT} "${code}")
