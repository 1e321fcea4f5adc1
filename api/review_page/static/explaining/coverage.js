// What the model looked at, and how closely: the figures beside the picture, and the map over it.

export async function begin() {}
