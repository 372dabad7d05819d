package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// Partitions is what the partitions of one queue have in common: their number,
// which is fixed, and the members that share them out.
type Partitions struct {
	PartitionKeys
	s *Store
}

// Partitions returns the handle of the partitions of a queue.
func (s *Store) Partitions(name string) (*Partitions, error) {
	keys, err := s.keys.Partitions(name)
	if err != nil {
		return nil, err
	}
	return &Partitions{PartitionKeys: keys, s: s}, nil
}

// TopicPartitions returns the handle of the partitions of a topic, which has no
// members: its groups have.
func (s *Store) TopicPartitions(name string) (*Partitions, error) {
	keys, err := s.keys.TopicPartitions(name)
	if err != nil {
		return nil, err
	}
	return &Partitions{PartitionKeys: keys, s: s}, nil
}

// GroupPartitions returns the handle of the partitions of a topic's group: the number
// is the topic's, the members are its own.
func (s *Store) GroupPartitions(topic, group string) (*Partitions, error) {
	keys, err := s.keys.Group(topic, group)
	if err != nil {
		return nil, err
	}
	return s.Partitions(keys.Name)
}

// Fix fixes the number of partitions, unless it is fixed already, and returns what
// it is. Safe to repeat.
func (p *Partitions) Fix(ctx context.Context, n int) (int, error) {
	set := redis.NewBoolCmd(ctx, "HSETNX", p.Record, "n", n)
	get := redis.NewIntCmd(ctx, "HGET", p.Record, "n")
	if err := p.s.pipe.doAll(ctx, []redis.Cmder{set, get}); err != nil {
		return 0, classify(err)
	}
	fixed, err := get.Result()
	if errors.Is(err, redis.Nil) { // the set says why: the server's memory is full, perhaps
		err = set.Err()
	}
	return int(fixed), classify(err)
}

// Number returns the number of partitions, or 0 when it is not fixed.
func (p *Partitions) Number(ctx context.Context) (int, error) {
	n, err := ask(ctx, p.s, redis.NewIntCmd(ctx, "HGET", p.Record, "n"))
	if errors.Is(err, redis.Nil) {
		return 0, nil
	}
	return int(n), err
}

// Forget forgets the number and the members. A group's number is the topic's, and
// stays.
func (p *Partitions) Forget(ctx context.Context) error {
	keys := []any{"DEL", p.Members}
	if !p.Group {
		keys = append(keys, p.Record)
	}
	_, err := p.s.count(ctx, keys...)
	return err
}

// Membership is what a member learns from a Beat.
type Membership struct {
	N       int      // the fixed number of partitions; if it is another one, the member is none
	Version string   // changes with the members
	Members []string // sorted; nil when the version is the one that was known
}

// Beat makes member one of those that share the n partitions out, for lapse from
// now, and throws out those whose time is over. known is the version that the
// member knows. Safe to repeat.
func (p *Partitions) Beat(ctx context.Context, member string, n int, lapse time.Duration, known string) (Membership, error) {
	reply, err := p.s.list(ctx, beatScript, []string{p.Record, p.Members},
		member, n, lapse.Milliseconds(), known)
	if err != nil {
		return Membership{}, err
	}
	m := Membership{N: int(integer(reply[0]))}
	if len(reply) > 1 {
		m.Version, _ = reply[1].(string)
	}
	for _, v := range reply[min(2, len(reply)):] {
		name, ok := v.(string)
		if !ok {
			return m, fmt.Errorf("%w: beat returned %v", errProtocol, reply)
		}
		m.Members = append(m.Members, name)
	}
	slices.Sort(m.Members)
	return m, nil
}

// Leave makes member no longer one. Safe to repeat.
func (p *Partitions) Leave(ctx context.Context, member string) error {
	_, err := p.s.eval(ctx, leaveScript, []string{p.Record, p.Members}, member)
	return err
}

// List returns those that are members now, sorted.
func (p *Partitions) List(ctx context.Context) ([]string, error) {
	now, err := p.s.Now(ctx)
	if err != nil {
		return nil, err
	}
	members, err := ask(ctx, p.s, redis.NewStringSliceCmd(ctx, "ZRANGEBYSCORE", p.Members, "("+strconv.FormatInt(now.UnixMilli(), 10), "+inf"))
	slices.Sort(members)
	return members, err
}
