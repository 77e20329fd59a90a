// A pixel as the network was trained on it: its channels permuted and scaled, by the rows of a matrix in the block, and moved.

fn mapped(pixel: vec3f) -> vec3f {
    let red = vec3f(p.red_x, p.red_y, p.red_z);
    let green = vec3f(p.green_x, p.green_y, p.green_z);
    let blue = vec3f(p.blue_x, p.blue_y, p.blue_z);
    let offset = vec3f(p.offset_x, p.offset_y, p.offset_z);
    return vec3f(dot(red, pixel), dot(green, pixel), dot(blue, pixel)) + offset;
}

