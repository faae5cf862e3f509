/** How ssd(W) is coded in the float32 maps of all engines: > 0: known up to relative slack; 0: W is flat; < 0:
 * doubtful, and minus this is a lower bound of it. Also read by compilers of other languages than C. */
#ifndef NCC_SSD_H
#define NCC_SSD_H

#define NCC_SSD_UNKNOWN (-1e-37f)

/** ssd is known well enough for float32 bounds where it exceeds its error by this. */
#define NCC_SSD_WELL_ABOVE 0x1p21

#endif
