package leanmq

import "math/bits"

// PartitionBy puts messages with the same key into the same partition of a
// [PartitionedQueue]. It says nothing of their order: that is [OrderingKey], which
// decides on the partition itself, so that the two exclude each other. A queue
// without partitions does not mind it. 1 to 256 bytes.
func PartitionBy(key string) SendOption {
	return func(c *sendConfig) {
		if key == "" || len(key) > 256 {
			c.fail(invalid("PartitionBy", "%.40q has %d bytes: want 1 to 256", key, len(key)))
		}
		c.partition = key
	}
}

// partitionOf is the partition of n that a key decides on. It never changes.
func partitionOf(key string, n int) int {
	part, _ := bits.Mul64(hashKey(key), uint64(n))
	return int(part)
}

// partitionKey is what decides on the partition of a message, "" when nothing
// does. See PartitionedQueue for the order.
func (c *sendConfig) partitionKey(payload []byte) (string, error) {
	unique := c.unique
	if c.digest {
		unique = payloadKey(payload)
	}
	switch {
	case c.order != "" && c.partition != "":
		return "", invalid("PartitionBy", "and OrderingKey exclude each other: the ordering key decides on the partition")
	case c.order != "":
		return c.order, nil
	case c.partition != "":
		return c.partition, nil
	case unique != "" && c.terms.For != "" && unique != c.terms.For:
		return "", invalid("Unique", "and UniqueFor have different keys, which are unique in different partitions: say which one with PartitionBy")
	case unique != "":
		return unique, nil
	case c.terms.For != "":
		return c.terms.For, nil
	}
	return c.id, nil
}
