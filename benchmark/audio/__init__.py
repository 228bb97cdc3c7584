"""Sound in memory: decoded once, cropped from a memory map, augmented on the device."""
