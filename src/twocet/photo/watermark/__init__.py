"""An imperceptible watermark in the face that a model changed, found again without the original.

A changed face carries 48 bits (:mod:`twocet.photo.watermark.code`) on pseudo-random patterns of brightness
(:mod:`twocet.photo.watermark.carriers`), placed in the coordinates of the aligned face, so that the face itself says
where to look however the photo was scaled, cut or turned. Spread spectrum after Cox et al. (1997), with the host's
interference cancelled where it would be mistaken for another message (Malvar & Florencio, 2003).
"""
