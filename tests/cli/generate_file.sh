# every pixel type; the same bytes from the same seed; an existing file is kept unless --overwrite is given
for dtype in u8 i8 u16 i16 u32 i32 f16 f32 f64; do
  mpixcorr generate $dtype.h5 --preset tiny --images 2 --templates 3 --dtype $dtype || echo "exit $?"
done
sleep 1.1 # files keep no times
mpixcorr generate again.h5 --preset tiny --images 2 --templates 3 --dtype u8 >/dev/null && cmp u8.h5 again.h5
mpixcorr generate other.h5 --preset tiny --images 2 --templates 3 --dtype u8 --seed 2 >/dev/null
cmp -s u8.h5 other.h5 && echo "another seed gives the same bytes"
cp u8.h5 copy.h5
mpixcorr generate u8.h5 --preset tiny || echo "exit $?"
cmp u8.h5 copy.h5
mpixcorr generate u8.h5 --preset tiny --subpixel-shift --overwrite || echo "exit $?"
mpixcorr generate no/such/folder.h5 --preset tiny || echo "exit $?"
ls
