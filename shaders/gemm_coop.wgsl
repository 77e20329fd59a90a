// gemm_coop: y = x w with bias, ReLU or accumulation on matrix units; rung `coop` of dense and conv2d.
//
// x (m,k), w (k,n)  through `x_block` and `w_block` as in gemm_tiled, rounded to f16; products are summed in f32
// y (m,n)           row-major, `y_row` elements from row to row; bias (n)
//
// One workgroup of SUBGROUPS subgroups computes TILE x TILE elements of y in steps of STEP along k. Half of it loads x and
// half loads w, each invocation LOADS blocks of four by four elements, into shared memory with k outermost: read by
// columns this is x, read by rows it is w. One subgroup multiplies ROWS x COLS matrices, two subgroups side by side. The
// next step's blocks are on their way into registers while this one's matrices are multiplied.
//
// Which lane holds which element of a matrix only the driver knows, so sums leave through shared memory.
// groups as in the piece tiled_product.
// Source: Markidis et al. 2018, "NVIDIA tensor core programmability, performance and precision"; the WGSL extension
// stands for SPV_KHR_cooperative_matrix.

const COLUMNS: u32 = TILE / 4u;                   // vec4 in a row of a tile
const ROW: u32 = COLUMNS + 2u;                    // eight more halves: neighbouring rows lie in different banks
const LOADERS: u32 = SUBGROUPS * LANES / 2u;      // invocations that load one operand
const DEPTH: u32 = 4u * LOADERS / COLUMNS;        // k of the blocks that they load at once
const STEP: u32 = LOADS * DEPTH;
const ROWS: u32 = 2u * TILE / SUBGROUPS / MATRIX;
const COLS: u32 = TILE / 2u / MATRIX;
const PATCH: u32 = MATRIX * MATRIX / 4u;          // vec4f of a matrix on its way out

var<workgroup> x_tile: array<vec4<f16>, STEP * ROW>;
var<workgroup> w_tile: array<vec4<f16>, STEP * ROW>;
var<workgroup> sums_out: array<vec4f, SUBGROUPS * PATCH>;

alias Blocks = array<Block, LOADS>;

// The next blocks of an invocation's operand.
fn load_blocks(loads_x: bool, x_spot: ptr<function, X>, w_spot: ptr<function, W>, end: u32) -> Blocks {
    var blocks: Blocks;
    for (var i = 0u; i < LOADS; i++) { blocks[i] = load_block(loads_x, x_spot, w_spot, end); }
    return blocks;
}

// Where row j of an invocation's i-th block lies in a tile.
fn row_of(at: vec2u, i: u32, j: u32) -> u32 { return (i * DEPTH + at.y * 4u + j) * ROW + at.x; }

@compute @workgroup_size(SUBGROUPS * LANES)
fn product(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let task = task_of(group, groups);
    let loads_x = local < LOADERS;
    let at = block_of(local % LOADERS, select(W_ALONG_K, X_ALONG_K, loads_x));
    var x_spot = x_start(task.m + at.x * 4u, task.k + at.y * 4u, task.copy);
    var w_spot = w_start(task.n + at.x * 4u, task.k + at.y * 4u, task.copy);
    let m_mine = subgroup / 2u * ROWS * MATRIX;
    let n_mine = subgroup % 2u * COLS * MATRIX;
    var sums: array<Sum, ROWS * COLS>;
    var blocks = load_blocks(loads_x, &x_spot, &w_spot, task.k_end);
    for (var k = task.k; k < task.k_end; k += STEP) {
        for (var i = 0u; i < LOADS; i++) {
            for (var j = 0u; j < 4u; j++) {
                let four = vec4<f16>(blocks[i].k[j]);
                if loads_x { x_tile[row_of(at, i, j)] = four; } else { w_tile[row_of(at, i, j)] = four; }
            }
        }
        workgroupBarrier();
        blocks = load_blocks(loads_x, &x_spot, &w_spot, task.k_end); // beyond the last step: zeros, without a load
        for (var d = 0u; d < STEP; d += MATRIX) {
            var lefts: array<Left, ROWS>;
            for (var r = 0u; r < ROWS; r++) {
                let first = d * ROW + (m_mine + r * MATRIX) / 4u;
                lefts[r] = coopLoad<Left>(&x_tile[first], ROW);
            }
            for (var c = 0u; c < COLS; c++) {
                let first = d * ROW + (n_mine + c * MATRIX) / 4u;
                let right = coopLoadT<Right>(&w_tile[first], ROW);
                for (var r = 0u; r < ROWS; r++) {
                    sums[r * COLS + c] = coopMultiplyAdd(lefts[r], right, sums[r * COLS + c]);
                }
            }
        }
        workgroupBarrier();
    }
    for (var i = 0u; i < ROWS * COLS; i++) {
        let sum = sums[i];
        let out = subgroup * PATCH;
        let stride = MATRIX / 4u;
        coopStoreT(sum, &sums_out[out], stride);
        workgroupBarrier();
        let m = task.m + m_mine + i / COLS * MATRIX;
        let n = task.n + n_mine + i % COLS * MATRIX;
        for (var q = lane; q < PATCH; q += LANES) {
            put(m + q / stride, n + q % stride * 4u, task.copy, sums_out[out + q]);
        }
        workgroupBarrier();
    }
}
