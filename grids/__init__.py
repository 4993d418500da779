"""Units, partitions and plans: how ground is divided and looked after."""
