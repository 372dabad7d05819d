//go:build !race

package leanmq_test

// slack is by how much tests may take longer than is promised: other tests run
// beside them.
const slack = 3
