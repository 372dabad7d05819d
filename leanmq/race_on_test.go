//go:build race

package leanmq_test

// slack is by how much tests may take longer than is promised: the race detector
// makes everything several times slower.
const slack = 8
