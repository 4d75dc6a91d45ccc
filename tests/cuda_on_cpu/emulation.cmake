# SPDX-License-Identifier: Apache-2.0
# Our own CUDA kernels, with all of their host's half, on a CPU (tests/cuda_on_cpu/): the same files
# with another <cuda_runtime.h>. Fibers are written for x86-64.
if(NOT WITH_CUDA AND CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
  enable_language(CXX)
  set(CMAKE_CXX_STANDARD 17)
  file(GLOB kernels_cu CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/kernels/cuda/*.cu)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/cuda_on_cpu/*.cpp
       ${CMAKE_SOURCE_DIR}/kernels/cuda/*.c ${CMAKE_SOURCE_DIR}/kernels/cuda/absent/*.c)
  list(FILTER sources EXCLUDE REGEX "/kernels/cuda/plan_store\\.c$|/test_") # the store is in kernels
  set_source_files_properties(${kernels_cu} PROPERTIES LANGUAGE CXX COMPILE_OPTIONS
                              "-xc++;-fno-strict-aliasing;-Wno-unknown-pragmas;-Wno-conversion")
  add_library(cuda_on_cpu OBJECT ${sources} ${kernels_cu} kernels/cuda/cudnn/plan_engine.c
              kernels/cuda/cudnn/plan_key.c)
  target_include_directories(cuda_on_cpu BEFORE PUBLIC ${CMAKE_SOURCE_DIR}/tests/cuda_on_cpu/include)
  target_compile_options(cuda_on_cpu PRIVATE -O2)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/checkkernels/*.c)
  add_executable(checkkernels_cuda ${sources})
  target_link_libraries(checkkernels_cuda PRIVATE cuda_on_cpu kernels base)
  add_test(NAME checkkernels_cuda COMMAND checkkernels_cuda --device=cuda --drawn)
  set_tests_properties(checkkernels_cuda PROPERTIES TIMEOUT 1200 LABELS kernels)
  add_test(NAME cuda_bounds COMMAND checkkernels_cuda --device=cuda --drawn --type=bf16)
  add_executable(parity_cuda tests/test_parity.c)
  target_link_libraries(parity_cuda PRIVATE cuda_on_cpu client fault server ${CMOCKA})
  add_test(NAME parity_cuda COMMAND parity_cuda --device=cuda
           WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  add_executable(limner_cuda server/main.c) # limner itself, on the emulated GPU
  target_link_libraries(limner_cuda PRIVATE cuda_on_cpu server)
  target_compile_definitions(limner_cuda PRIVATE LIMNER_VERSION="${PROJECT_VERSION}")
  set_target_properties(limner_cuda PROPERTIES OUTPUT_NAME limner)
  add_executable(test_sick_gpu tests/cuda_on_cpu/test_sick_gpu.c)
  target_link_libraries(test_sick_gpu PRIVATE client ${CMOCKA})
  add_dependencies(test_sick_gpu limner_cuda)
  set_target_properties(limner_cuda test_sick_gpu PROPERTIES # the test runs what lies beside it
                        RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/on_cpu)
  add_executable(test_cuda tests/cuda_on_cpu/test_cuda.c)
  target_include_directories(test_cuda BEFORE PRIVATE tests/cuda_on_cpu/include)
  target_link_libraries(test_cuda PRIVATE cuda_on_cpu server ${CMOCKA})
  add_test(NAME test_cuda COMMAND test_cuda WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  add_executable(test_narrow tests/cuda_on_cpu/test_narrow.c)
  target_include_directories(test_narrow BEFORE PRIVATE tests/cuda_on_cpu/include)
  target_link_libraries(test_narrow PRIVATE cuda_on_cpu kernels base ${CMOCKA})
  add_test(NAME test_narrow COMMAND test_narrow)
  add_test(NAME test_sick_gpu COMMAND test_sick_gpu WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  add_executable(test_emulator tests/cuda_on_cpu/test_emulator.cpp)
  target_include_directories(test_emulator BEFORE PRIVATE tests/cuda_on_cpu/include)
  target_link_libraries(test_emulator PRIVATE cuda_on_cpu kernels base ${CMOCKA})
  add_test(NAME test_emulator COMMAND test_emulator)
  set_tests_properties(parity_cuda PROPERTIES TIMEOUT 1200 LABELS kernels)
  set_tests_properties(cuda_bounds test_cuda test_narrow test_emulator test_sick_gpu PROPERTIES TIMEOUT 1200 LABELS cuda)
endif()
