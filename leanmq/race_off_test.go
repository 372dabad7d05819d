//go:build !race

package leanmq_test

// slack is by how much tests may take longer than is promised.
const slack = 1
