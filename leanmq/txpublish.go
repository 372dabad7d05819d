package leanmq

// Publish adds a message to a topic, with the options of [Topic.Publish]: all groups get
// it when the transaction is committed, and none if it is not. A message that is a
// duplicate by its [ID] is as one of [Tx.Send]; so is all else.
func (tx *Tx) Publish(t *Topic, payload []byte, opts ...SendOption) *TxSend {
	q := t.publisher()
	if len(opts) == 0 {
		return tx.send(q, payload, &noOptions, nil)
	}
	c, err := q.sendConfig(opts)
	return tx.send(q, payload, &c, err)
}

// PublishMany is Publish for several messages with the same options, as
// [Topic.PublishMany] allows them.
func (tx *Tx) PublishMany(t *Topic, payloads [][]byte, opts ...SendOption) []*TxSend {
	q := t.publisher()
	c, err := q.sendConfig(opts)
	return tx.sendMany(q, payloads, &c, err)
}

// publisher is the handle that publishes; that of no topic says so at its use.
func (t *Topic) publisher() *Queue {
	if t == nil {
		return &Queue{topic: true, err: invalid("topic", "is nil")}
	}
	return t.q
}
