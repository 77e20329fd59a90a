// Matrices of 8 by 8: the factors of f16, their sums of f32.

alias Left = coop_mat8x8<f16, A>;
alias Right = coop_mat8x8<f16, B>;
alias Sum = coop_mat8x8<f32, C>;
const MATRIX: u32 = 8u;

