// Shared piece: as `index`, but beyond every tensor in a step that does not count, because a gradient of it was not finite.

const SIZE: u32 = 64u;

// What `scaling` decided; its third number is 1 where the step counts.
@group(0) @binding(15) var<storage, read> decided: array<f32>;

fn flat_index(group: vec3u, groups: vec3u, local: u32) -> u32 {
    if decided[decided_at + 2u] != 1.0 { return 0xffffffffu; }
    return (group.y * groups.x + group.x) * SIZE + local;
}
