package store

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// TopicState is a topic as it is at one moment.
type TopicState struct {
	Now         time.Time
	Length      int64
	First, Last string // entry ids; "" when there are none
	Retention   Retention
	Groups      []GroupState
}

// GroupState is where a topic's group is.
type GroupState struct {
	Name   string
	Last   string // the last entry delivered to it
	Undone string // it is done with every entry before this one
	// Pending entries are delivered and not settled; Released ones of them wait for a
	// consumer.
	Pending, Released int64
	Lag               int64 // entries not delivered; -1: they have to be counted
}

// State shows a topic and its groups.
func (t *Topic) State(ctx context.Context) (TopicState, error) {
	return t.s.topicState(ctx, t.Stream, t.Meta)
}

func (s *Store) topicState(ctx context.Context, stream, meta string) (TopicState, error) {
	var st TopicState
	reply, err := s.list(ctx, topicScript, []string{stream, meta})
	if err != nil {
		return st, err
	}
	if len(reply) < 8 {
		return st, fmt.Errorf("%w: topic returned %v", errProtocol, reply)
	}
	st.Now, st.Length = time.UnixMilli(integer(reply[0])), integer(reply[1])
	st.First, _ = reply[2].(string)
	st.Last, _ = reply[3].(string)
	st.Retention = Retention{
		Age: time.Duration(integer(reply[4])) * time.Millisecond, Length: integer(reply[5]),
		UntilDone: integer(reply[6]) == 1, DropUnread: integer(reply[7]) == 1,
	}
	for _, v := range reply[8:] {
		g, _ := v.([]any)
		if len(g) != 6 {
			return st, fmt.Errorf("%w: topic returned %v", errProtocol, v)
		}
		state := GroupState{Pending: integer(g[3]), Released: integer(g[4]), Lag: integer(g[5])}
		state.Name, _ = g[0].(string)
		state.Last, _ = g[1].(string)
		state.Undone, _ = g[2].(string)
		st.Groups = append(st.Groups, state)
	}
	return st, nil
}

const (
	countPage = 1000
	// MaxCounted is how many entries are counted one by one.
	MaxCounted = 100_000
)

// lag is how many entries the group has not read; more says that there are even more.
func (s *Store) lag(ctx context.Context, stream string, st *TopicState, g *GroupState) (n int64, more bool, err error) {
	if g.Lag >= 0 {
		return g.Lag, false, nil
	}
	for after := g.Last; n < MaxCounted; {
		reply, err := s.list(ctx, countScript, []string{stream}, after, st.Last, countPage)
		if err != nil || len(reply) != 2 {
			return n, false, err
		}
		page := integer(reply[0])
		if n += page; page < countPage {
			return n, false, nil
		}
		after, _ = reply[1].(string)
	}
	return n, true, nil
}

// Lag is how many entries of the topic a group has not read; more says that there are
// even more.
func (t *Topic) Lag(ctx context.Context, st *TopicState, g *GroupState) (n int64, more bool, err error) {
	return t.s.lag(ctx, t.Stream, st, g)
}

// addTopic adds to a group's own counts what the topic has for it.
func (q *Queue) addTopic(ctx context.Context, info *Info) error {
	if q.Topic == "" {
		return nil
	}
	st, err := q.s.topicState(ctx, q.Topic, q.topicMeta())
	if err != nil {
		return err
	}
	for i := range st.Groups {
		g := &st.Groups[i]
		if g.Name != q.Member {
			continue
		}
		lag, _, err := q.s.lag(ctx, q.Topic, &st, g)
		if err != nil {
			return err
		}
		info.Exists = true
		info.InFlight += g.Pending - g.Released
		info.Ready += lag + g.Released
	}
	return nil
}

// Blocking returns the groups that keep the retention from taking the first entry,
// sorted.
func (st *TopicState) Blocking() (names []string) {
	r := &st.Retention
	if st.First == "" || r.DropUnread {
		return nil
	}
	over := r.Age > 0 && st.Now.UnixMilli()-r.Age.Milliseconds() > EntryTime(st.First) || r.Length > 0 && st.Length > r.Length
	for _, g := range st.Groups {
		if !Before(st.First, g.Undone) {
			names = append(names, g.Name)
		}
	}
	if !over && (!r.UntilDone || len(names) == len(st.Groups)) {
		return nil
	}
	slices.Sort(names)
	return names
}
