/** Change it when the layout of the files changes. */
export const formatVersion = 2;
/**
 * Change it when the same tokens give other keys or values, or when these lie in another order in memory: a kernel that
 * rounds differently, another layout of a block. What was stored before is then never read again, and removed.
 */
export const engineVersion = 1;
