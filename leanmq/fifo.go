package leanmq

// fifo is a queue of messages on one slice.
type fifo struct {
	items []*Message
	head  int
}

func (f *fifo) push(m *Message) { f.items = append(f.items, m) }

func (f *fifo) empty() bool { return f.head == len(f.items) }

func (f *fifo) len() int { return len(f.items) - f.head }

func (f *fifo) pop() *Message {
	if f.head == len(f.items) {
		return nil
	}
	m := f.items[f.head]
	f.items[f.head] = nil
	f.head++
	if f.head == len(f.items) {
		f.items, f.head = f.items[:0], 0
	}
	return m
}
