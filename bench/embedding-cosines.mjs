/** The cosine of mean-pooled embeddings of two sessions, for each text of the data. */
export async function pooledCosines(float, narrow, data) {
  const cosines = [];
  for await (const { feeds } of data.batches(1)) {
    const mask = feeds.attention_mask.numbers();
    const [a, b] = [pooled(await float.run(feeds), mask), pooled(await narrow.run(feeds), mask)];
    cosines.push(dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b)));
  }
  return cosines;
}

/** The mean over the tokens that are shown. */
function pooled(outputs, mask) {
  const hidden = Object.values(outputs)[0];
  const width = hidden.shape[2];
  const values = hidden.floats();
  const sum = new Float64Array(width);
  for (const [i, shown] of mask.entries()) if (shown) for (let k = 0; k < width; k++) sum[k] += values[i * width + k];
  return sum;
}

function dot(a, b) {
  return a.reduce((sum, x, i) => sum + x * b[i], 0);
}
