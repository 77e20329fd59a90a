// The sum of what the SIZE invocations of a workgroup hold, by a tree: the order is fixed, whatever the adapter does. All
// of them must call it, and all get the sum.

var<workgroup> of_group: array<f32, SIZE>;

fn sum_over_group(local: u32, value: f32) -> f32 {
    of_group[local] = value;
    workgroupBarrier();
    for (var step = SIZE / 2u; step > 0u; step /= 2u) {
        if local < step { of_group[local] += of_group[local + step]; }
        workgroupBarrier();
    }
    let sum = of_group[0];
    workgroupBarrier(); // nobody may begin the next sum before all have read this one
    return sum;
}

