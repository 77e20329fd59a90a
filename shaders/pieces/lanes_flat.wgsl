// Which item (a tile, an input channel) and which four channels an invocation works on: the channels of one item, then
// those of the next, so that no lane of a GPU is idle however few the channels are.

struct Spot { item: u32, quad: u32 }

const LANES: u32 = 64u;

fn spot(group: vec3u, groups: vec3u, lane: u32, quads: u32) -> Spot {
    let i = (group.y * groups.x + group.x) * LANES + lane;
    return Spot(i / quads, i % quads);
}

fn beyond(item: u32, items: u32) -> bool { return item >= items; }

