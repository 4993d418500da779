"""Layers as files that QGIS, SuperMap, ArcGIS and Excel open: what leaves (`layers`), and how it is written (`writers`)."""
