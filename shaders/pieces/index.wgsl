// Shared piece: the place of an invocation in a flat grid.

const SIZE: u32 = 64u;

// Grids fold at the adapter's limit per dimension: x runs first, y counts the rows of groups.
fn flat_index(group: vec3u, groups: vec3u, local: u32) -> u32 {
    return (group.y * groups.x + group.x) * SIZE + local;
}
