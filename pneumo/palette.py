"""The colours of all that is drawn to compare: Okabe and Ito's (2008), which colour-blind readers can tell apart.

Their black and their yellow would vanish on a dark or a light page; a grey and a darker yellow stand in for them.
"""

PALETTE = ["#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#8C8C8C", "#9A8700"]
