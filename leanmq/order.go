package leanmq

// OrderingKey makes messages with the same key be handled one after another in the
// order of their sends, by however many workers and processes: the next one is
// handed out when the one before it is done or dead. A retry keeps its place, the
// others wait for it. Messages with different keys, or without one, run in parallel.
// A delayed message takes its place when it is due; one that is requeued goes to
// the end. 1 to 256 bytes.
//
// Messages that wait for another one are counted as blocked ([QueueInfo]).
func OrderingKey(key string) SendOption {
	return func(c *sendConfig) {
		if key == "" || len(key) > 256 {
			c.fail(invalid("OrderingKey", "%.40q has %d bytes: want 1 to 256", key, len(key)))
		}
		c.order = key
	}
}
