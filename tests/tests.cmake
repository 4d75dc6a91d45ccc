# SPDX-License-Identifier: Apache-2.0
# Tests: one binary per module, through public headers. Exit code 77 is a skip. Included by
# CMakeLists.txt, so paths are from the root.
enable_testing()
find_library(CMOCKA cmocka REQUIRED)
add_library(fault STATIC tests/fault.c) # tests that name it run with its malloc
target_compile_options(fault PRIVATE -fno-sanitize=all) # it runs before the sanitizers do
add_library(client STATIC tests/client.c tests/job_client.c tests/program.c tests/review_scene.c tests/rows.c tests/judged.c tests/appeals.c tests/ledgers.c) # runs limner itself, and talks to it
target_link_libraries(client PUBLIC moderation watermark store base ${CMOCKA})
file(GLOB tests CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/test_*.c)
foreach(source ${tests})
  get_filename_component(name ${source} NAME_WE)
  add_executable(${name} ${source})
  target_link_libraries(${name} PRIVATE client fault server ${CMOCKA})
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 1200 LABELS unit
                       ENVIRONMENT OMP_WAIT_POLICY=passive) # tests share the cores: no spinning
  if(name MATCHES "^test_(ring|log|histogram|engine|http|serve|watch|keys|auth|store|tenant|soak|store_jobs|appeal_race|jobs|stream|events|api_stream|desk|breaker|hook|moderation_http|prompt_http|webhook|review_http|log_http|ledger)$") # what the thread sanitizer looks at
    set_tests_properties(${name} PROPERTIES LABELS "unit;threads")
  endif()
  if(name MATCHES "^test_(http|serve|watch|keys|cli|bench_run|soak|jobs|events|api_stream|command_policy|detect|detect_http|moderation_http|prompt_http|appeals_http|review_http|reviewers_http|log_http|marks_http)$") # what runs limner itself
    add_dependencies(${name} limner)
    set_tests_properties(${name} PROPERTIES ENVIRONMENT "") # it sees to that itself
  endif()
endforeach()
target_sources(test_stranger PRIVATE codec/stranger/lock.c) # to see what it forbids
target_compile_definitions(test_stranger PRIVATE ${lock_arch})
foreach(name test_judge test_judge_prompts test_judged) # the classifiers say what these want to hear
  target_sources(${name} PRIVATE tests/verdicts.c tests/judge_room.c)
  target_link_options(${name} PRIVATE -Wl,--wrap=vision_score,--wrap=vault_seal)
  set_tests_properties(${name} PROPERTIES LABELS "unit;threads")
endforeach()
set_tests_properties(test_stream PROPERTIES # has the event loops in its own process
                     ENVIRONMENT LSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/lsan.supp)

add_library(fake_nvml SHARED tests/fake_nvml.c) # in the place of the driver's, for test_health
set_target_properties(fake_nvml PROPERTIES OUTPUT_NAME nvidia-ml SOVERSION 1
                      LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fake)
add_dependencies(test_health fake_nvml)
set_tests_properties(test_health PROPERTIES
                     ENVIRONMENT LD_LIBRARY_PATH=${CMAKE_BINARY_DIR}/fake)

add_test(NAME format COMMAND ${CMAKE_SOURCE_DIR}/tests/format.sh)
set_tests_properties(format PROPERTIES SKIP_RETURN_CODE 77 LABELS tidy)

add_test(NAME nvcc COMMAND ${CMAKE_SOURCE_DIR}/tests/nvcc.sh)
set_tests_properties(nvcc PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 1200 LABELS kernels)

find_program(PYTHON3 python3 PATHS ${CMAKE_SOURCE_DIR}/.venv/checks/bin NO_DEFAULT_PATH)
find_program(PYTHON3 python3)
if(PYTHON3)
  add_test(NAME openai_client COMMAND ${PYTHON3} tests/http/openai_client.py $<TARGET_FILE:limner>
           WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  add_test(NAME dashboard COMMAND ${PYTHON3} tests/browser/dashboard.py $<TARGET_FILE:limner>
           WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  add_test(NAME appeal_page COMMAND ${PYTHON3} tests/browser/appeal.py $<TARGET_FILE:test_page_appeal>
           WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  add_test(NAME review_pages COMMAND ${PYTHON3} tests/browser/review.py $<TARGET_FILE:limner>
           WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  add_test(NAME whole_appeal COMMAND ${PYTHON3} tests/browser/whole.py $<TARGET_FILE:limner>
           WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  add_test(NAME c2pa_check COMMAND ${PYTHON3} tests/provenance/c2pa_check.py $<TARGET_FILE:test_manifest>
           WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(c2pa_check PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 600 LABELS http)
  add_test(NAME verify_log COMMAND ${PYTHON3} tools/verify_log/test_verify_log.py
           WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  add_executable(write_log tests/log/write_log.c)
  target_link_libraries(write_log PRIVATE client watermark)
  add_test(NAME tamper COMMAND ${PYTHON3} tests/log/tamper.py $<TARGET_FILE:limner>
           $<TARGET_FILE:write_log> WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  add_test(NAME officer_page COMMAND ${PYTHON3} tests/browser/officer.py $<TARGET_FILE:limner>
           $<TARGET_FILE:write_log> WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(verify_log tamper officer_page PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 600 LABELS log)
  set_tests_properties(openai_client dashboard appeal_page review_pages whole_appeal PROPERTIES
                       SKIP_RETURN_CODE 77 TIMEOUT 600 LABELS http)
endif()

file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/checkkernels/*.c)
add_executable(checkkernels ${sources})
target_link_libraries(checkkernels PRIVATE kernels base)
add_test(NAME checkkernels COMMAND checkkernels)
set_tests_properties(checkkernels PROPERTIES TIMEOUT 1200 LABELS kernels)

# Every graph of the supported models against an H100 that is only described.
if(CUDAToolkit_FOUND AND CUDNN_INCLUDE)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/cudnn/*.c)
  add_executable(cudnn_plans ${sources})
  target_link_libraries(cudnn_plans PRIVATE plans kernels base)
  add_test(NAME cudnn_plans COMMAND tests/cudnn/run.sh $<TARGET_FILE:cudnn_plans>
           ${CUDAToolkit_LIBRARY_DIR} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(cudnn_plans PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 1200 LABELS kernels)
endif()
