/** Includes EACH_TYPE, a file of functions over pixels of one type, once for every type of NCC_DTYPE_TABLE: so they are
 *  functions that a debugger steps through. In it PIXEL is the C type, OF_TYPE(f) the name f_NCC_U8 of its function f,
 *  VALUE(v) a pixel in float64, and LOAD(p) as many as a register takes. BY_TYPE(f) makes a table of them. */
#define OF_TYPE(f) NCC_CAT(NCC_CAT(f, _), DTYPE)
#define VALUE(v) NCC_CAT(VALUE_, DTYPE)(v)
#define LOAD(p) OF_TYPE(load)(p)

#define DTYPE NCC_U8
#define PIXEL uint8_t
#include EACH_TYPE
#undef DTYPE
#undef PIXEL

#define DTYPE NCC_I8
#define PIXEL int8_t
#include EACH_TYPE
#undef DTYPE
#undef PIXEL

#define DTYPE NCC_U16
#define PIXEL uint16_t
#include EACH_TYPE
#undef DTYPE
#undef PIXEL

#define DTYPE NCC_I16
#define PIXEL int16_t
#include EACH_TYPE
#undef DTYPE
#undef PIXEL

#define DTYPE NCC_U32
#define PIXEL uint32_t
#include EACH_TYPE
#undef DTYPE
#undef PIXEL

#define DTYPE NCC_I32
#define PIXEL int32_t
#include EACH_TYPE
#undef DTYPE
#undef PIXEL

#define DTYPE NCC_F16
#define PIXEL uint16_t
#include EACH_TYPE
#undef DTYPE
#undef PIXEL

#define DTYPE NCC_F32
#define PIXEL float
#include EACH_TYPE
#undef DTYPE
#undef PIXEL

#define DTYPE NCC_F64
#define PIXEL double
#include EACH_TYPE
#undef DTYPE
#undef PIXEL

#define BY_TYPE(f)                                                                                      \
  {                                                                                                     \
    [NCC_U8] = f##_NCC_U8, [NCC_I8] = f##_NCC_I8, [NCC_U16] = f##_NCC_U16, [NCC_I16] = f##_NCC_I16,     \
    [NCC_U32] = f##_NCC_U32, [NCC_I32] = f##_NCC_I32, [NCC_F16] = f##_NCC_F16, [NCC_F32] = f##_NCC_F32, \
    [NCC_F64] = f##_NCC_F64,                                                                            \
  }
