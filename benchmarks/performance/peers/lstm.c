/* All 14 gradients of the univariate LSTM for L = sum of y_t, as a good C programmer would write it.

   Draws lie in blocks of BLOCK, so that each loop over a block becomes vector code: gcc -O3 -march=native -ffast-math
   calls the vector exp and tanh of libmvec. The tape of a block is used again by the next one and stays in cache.

   params, out: (blocks, 14, BLOCK); x: (blocks, steps, BLOCK); tape: (steps, 8, BLOCK).
   Chosen by the compiler's command line: REAL, EXP and TANH (float, expf, tanhf or double, exp, tanh), BLOCK, and
   TANH_BY_EXP, which makes tanh of exp. */

#include <math.h>
#include <string.h>
#ifdef __SSE__
#include <xmmintrin.h>
#endif

typedef REAL real;

#define EACH for (int k = 0; k < BLOCK; k++)

enum { F, I, O, G, C, TAU, H, Y, TAPE };

static inline real sigmoid(real z) { return 1 / (1 + EXP(-z)); }

#ifdef TANH_BY_EXP
static inline real tanh_of(real z) { return 2 / (1 + EXP(-2 * z)) - 1; }
#else
static inline real tanh_of(real z) { return TANH(z); }
#endif

static void block(long steps, const real (*restrict p)[BLOCK], const real (*restrict x)[BLOCK],
                  real (*restrict out)[BLOCK], real (*restrict tape)[TAPE][BLOCK])
{
    static const real zero[BLOCK];
    for (long t = 0; t < steps; t++) {
        real (*restrict now)[BLOCK] = tape[t];
        const real *restrict h = t ? tape[t - 1][H] : zero;
        const real *restrict cell = t ? tape[t - 1][C] : zero;
        EACH now[F][k] = sigmoid(p[0][k] * h[k] + p[1][k] * x[t][k] + p[2][k]);
        EACH now[I][k] = sigmoid(p[3][k] * h[k] + p[4][k] * x[t][k] + p[5][k]);
        EACH now[O][k] = sigmoid(p[6][k] * h[k] + p[7][k] * x[t][k] + p[8][k]);
        EACH now[G][k] = tanh_of(p[9][k] * h[k] + p[10][k] * x[t][k] + p[11][k]);
        EACH {
            real c = now[F][k] * cell[k] + now[I][k] * now[G][k];
            real tau = tanh_of(c);
            now[C][k] = c;
            now[TAU][k] = tau;
            now[H][k] = now[O][k] * tau;
        }
        EACH now[Y][k] = sigmoid(p[12][k] * now[H][k] + p[13][k]);
    }
    real dh_next[BLOCK], dC_next[BLOCK];
    memset(dh_next, 0, sizeof dh_next);
    memset(dC_next, 0, sizeof dC_next);
    memset(out, 0, 14 * sizeof *out);
    for (long t = steps - 1; t >= 0; t--) {
        const real (*restrict now)[BLOCK] = tape[t];
        const real *restrict h = t ? tape[t - 1][H] : zero;
        const real *restrict cell = t ? tape[t - 1][C] : zero;
        EACH {
            real f = now[F][k], i = now[I][k], o = now[O][k], g = now[G][k], tau = now[TAU][k], y = now[Y][k];
            real delta = y * (1 - y);
            real dh = p[12][k] * delta + dh_next[k];
            real dC = dh * o * (1 - tau * tau) + dC_next[k];
            real dz_f = dC * cell[k] * f * (1 - f);
            real dz_i = dC * g * i * (1 - i);
            real dz_o = dh * tau * o * (1 - o);
            real dz_c = dC * i * (1 - g * g);
            dh_next[k] = p[0][k] * dz_f + p[3][k] * dz_i + p[6][k] * dz_o + p[9][k] * dz_c;
            dC_next[k] = f * dC;
            out[0][k] += dz_f * h[k]; out[1][k] += dz_f * x[t][k]; out[2][k] += dz_f;
            out[3][k] += dz_i * h[k]; out[4][k] += dz_i * x[t][k]; out[5][k] += dz_i;
            out[6][k] += dz_o * h[k]; out[7][k] += dz_o * x[t][k]; out[8][k] += dz_o;
            out[9][k] += dz_c * h[k]; out[10][k] += dz_c * x[t][k]; out[11][k] += dz_c;
            out[12][k] += delta * now[H][k]; out[13][k] += delta;
        }
    }
}

void gradients(long blocks, long steps, const real *params, const real *x, real *out, real *tape)
{
#ifdef __SSE__
    /* What a program linked with -ffast-math starts with: subnormal numbers are 0. A library must not leave it set. */
    unsigned before = _mm_getcsr();
    _mm_setcsr(before | 0x8040);
#endif
    for (long b = 0; b < blocks; b++)
        block(steps, (const real (*)[BLOCK])(params + b * 14 * BLOCK),
              (const real (*)[BLOCK])(x + b * steps * BLOCK), (real (*)[BLOCK])(out + b * 14 * BLOCK),
              (real (*)[TAPE][BLOCK])tape);
#ifdef __SSE__
    _mm_setcsr(before);
#endif
}
