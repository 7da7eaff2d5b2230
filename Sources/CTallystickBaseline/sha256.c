#include "baseline.h"

#include <pthread.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* SHA-256 (FIPS 180-4) as a C programmer would call it: one function, no context, no allocation. It is
   here to say how fast this machine hashes, and is used for nothing else. */

static const uint32_t K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotate(uint32_t x, int n) { return (x >> n) | (x << (32 - n)); }

static void blocks_portable(uint32_t state[8], const uint8_t *p, size_t count) {
    for (; count; count--, p += 64) {
        uint32_t w[64];
        for (int i = 0; i < 16; i++)
            w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16
                 | (uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
        for (int i = 16; i < 64; i++)
            w[i] = w[i - 16] + w[i - 7]
                 + (rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ (w[i - 15] >> 3))
                 + (rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ (w[i - 2] >> 10));
        uint32_t s[8];
        memcpy(s, state, sizeof s);
        for (int i = 0; i < 64; i++) {
            uint32_t t = s[7] + (rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25))
                       + ((s[4] & s[5]) ^ (~s[4] & s[6])) + K[i] + w[i];
            uint32_t u = (rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22))
                       + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
            memmove(s + 1, s, 7 * sizeof *s);
            s[4] += t;
            s[0] = t + u;
        }
        for (int i = 0; i < 8; i++) state[i] += s[i];
    }
}

#if defined(__x86_64__)
/* The SHA extensions: four rounds a step, the state as ABEF and CDGH. */
__attribute__((target("sha,sse4.1,ssse3")))
static void blocks_sha(uint32_t state[8], const uint8_t *p, size_t count) {
    const __m128i order = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
    __m128i low = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0xB1);
    __m128i high = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 4)), 0x1B);
    __m128i abef = _mm_alignr_epi8(low, high, 8);
    __m128i cdgh = _mm_blend_epi16(high, low, 0xF0);
    for (; count; count--, p += 64) {
        __m128i abef_before = abef, cdgh_before = cdgh, w[4];
        for (int i = 0; i < 4; i++)
            w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(p + 16 * i)), order);
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) {
            __m128i now = w[i & 3];
            if (i >= 4) {
                now = _mm_sha256msg1_epu32(now, w[(i + 1) & 3]);
                now = _mm_add_epi32(now, _mm_alignr_epi8(w[(i + 3) & 3], w[(i + 2) & 3], 4));
                now = _mm_sha256msg2_epu32(now, w[(i + 3) & 3]);
                w[i & 3] = now;
            }
            __m128i k = _mm_add_epi32(now, _mm_loadu_si128((const __m128i *)(K + 4 * i)));
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, k);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(k, 0x0E));
        }
        abef = _mm_add_epi32(abef, abef_before);
        cdgh = _mm_add_epi32(cdgh, cdgh_before);
    }
    __m128i feba = _mm_shuffle_epi32(abef, 0x1B);
    __m128i dchg = _mm_shuffle_epi32(cdgh, 0xB1);
    _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(feba, dchg, 0xF0));
    _mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}
#endif

void tally_baseline_sha256(const uint8_t *bytes, int64_t count, uint8_t digest[32]) {
    uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                         0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    void (*blocks)(uint32_t[8], const uint8_t *, size_t) = blocks_portable;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.1") && tally_baseline_has_sha()) blocks = blocks_sha;
#endif
    size_t whole = (size_t)count / 64, rest = (size_t)count % 64;
    blocks(state, bytes, whole);
    uint8_t last[128] = {0};
    if (rest) memcpy(last, bytes + 64 * whole, rest);
    last[rest] = 0x80;
    size_t tail = rest < 56 ? 1 : 2;
    for (int i = 0; i < 8; i++) last[64 * tail - 1 - (size_t)i] = (uint8_t)((uint64_t)count * 8 >> (8 * i));
    blocks(state, last, tail);
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < 4; j++) digest[4 * i + j] = (uint8_t)(state[i] >> (24 - 8 * j));
}

#if defined(__x86_64__)
#include <cpuid.h>
int tally_baseline_has_sha(void) {
    static int known = -1;
    if (known < 0) {
        unsigned a, b = 0, c, d;
        known = __get_cpuid_count(7, 0, &a, &b, &c, &d) ? b >> 29 & 1 : 0;
    }
    return known;
}
#else
int tally_baseline_has_sha(void) { return 0; }
#endif

typedef struct {
    const uint8_t *bytes;
    int64_t messages, content, leaf;
    uint8_t sum;
} work;

static void *hash_all(void *argument) {
    work *w = argument;
    uint8_t digest[32];
    for (int64_t i = 0; i < w->messages; i++) {
        /* Other bytes each time, as the rows of a store are. */
        const uint8_t *start = w->bytes + i % 1024 * 16;
        tally_baseline_sha256(start, w->content, digest);
        w->sum ^= digest[0];
        tally_baseline_sha256(start, w->leaf, digest);
        w->sum ^= digest[0];
    }
    return 0;
}

int tally_baseline_hash(int threads, int64_t events, int64_t content, int64_t leaf) {
    static uint8_t bytes[1024 * 16 + 65536];
    pthread_t thread[16];
    work works[16];
    int started = 0, failed = 0;
    if (threads < 1 || threads > 16 || content > 65536 || leaf > 65536) return 1;
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i * 131 >> 3);
    for (int i = 0; i < threads && !failed; i++) {
        works[i] = (work){bytes, events / threads, content, leaf, 0};
        failed = pthread_create(&thread[i], 0, hash_all, &works[i]) != 0;
        if (!failed) started++;
    }
    for (int i = 0; i < started; i++) pthread_join(thread[i], 0);
    return failed;
}
