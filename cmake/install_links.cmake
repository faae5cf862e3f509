# Links of installed documents to sources, which are not installed, become words. Run by install.cmake in ncc_documents.
file(GLOB pages ${ncc_documents}/*.md ${ncc_documents}/docs/*.md)
foreach(page IN LISTS pages)
  file(READ ${page} text)
  string(REGEX REPLACE "\\[([^]]*)\\]\\((\\.\\./)?(src|python|jobs|tests|bench|CONTRIBUTING|RELEASING|SECURITY|CITATION)[^)]*\\)" "\\1"
    text "${text}")
  file(WRITE ${page} "${text}")
endforeach()
