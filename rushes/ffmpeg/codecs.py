"""Which video codecs we take. The decoders of a few exotic ones are where the bugs live; they are not asked. Pure."""

from __future__ import annotations

_DELIVERY = "h264 hevc av1 vp8 vp9 mpeg4 mpeg2video mpeg1video h263 h261 theora flv1 gif apng vp6 vp6f vp6a"
_CAMERAS = "mjpeg mjpegb prores dnxhd dvvideo cfhd jpeg2000 png v210 rawvideo"
_WINDOWS = "wmv1 wmv2 wmv3 vc1 msmpeg4v1 msmpeg4v2 msmpeg4v3"
_ARCHIVES = "ffv1 huffyuv ffvhuff utvideo magicyuv hap svq1 svq3 cinepak qtrle rpza flashsv flashsv2"

VIDEO_CODECS = frozenset(" ".join((_DELIVERY, _CAMERAS, _WINDOWS, _ARCHIVES)).split())
"""libavcodec's codec names. VVC is not among them: no browser plays it and its decoder is young."""
