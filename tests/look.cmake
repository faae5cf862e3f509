# Looking at results: maps, pictures, tables, comparisons, quality, boxes and windows.
ncc_add_test(NAME test_map LABELS look)
