package redistest

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/leanmq/leanmq/internal/store"
)

func (c *cluster) failover(slot int) error {
	master, replica, err := c.owner(slot)
	if err != nil {
		return err
	}
	if replica == nil {
		return fmt.Errorf("%s has no replica that runs", master.addr())
	}
	var asked time.Time
	return waitFor("the replica to take over", func() error {
		now, _, err := c.owner(slot)
		if err != nil || now == replica {
			return err
		}
		// The other masters do not vote for another replica of the same master soon
		// after they did, and a replica that is not elected within 5 s gives up.
		if time.Since(asked) > 2*nodeTimeout {
			asked = time.Now()
			if err := do(replica, "CLUSTER", "FAILOVER"); err != nil {
				return err
			}
		}
		return fmt.Errorf("%s still is the master", now.addr())
	})
}

// move does what redis-cli --cluster reshard does for one slot.
func (c *cluster) move(slot int, during func()) error {
	from, _, err := c.owner(slot)
	if err != nil {
		return err
	}
	var to *server
	for other := range store.Slots {
		if to, _, err = c.owner(other * 97 % store.Slots); err != nil {
			return err
		}
		if to != from {
			break
		}
	}
	fromID, err := from.text("CLUSTER", "MYID")
	if err != nil {
		return err
	}
	toID, err := to.text("CLUSTER", "MYID")
	if err != nil {
		return err
	}
	if err := do(to, "CLUSTER", "SETSLOT", slot, "IMPORTING", fromID); err != nil {
		return err
	}
	if err := do(from, "CLUSTER", "SETSLOT", slot, "MIGRATING", toID); err != nil {
		return err
	}
	for {
		var keys []string
		err := from.with(func(ctx context.Context, c *redis.Client) (err error) {
			keys, err = c.ClusterGetKeysInSlot(ctx, slot, 1).Result()
			return err
		})
		if err != nil {
			return err
		}
		if during != nil {
			during()
		}
		if len(keys) == 0 {
			break
		}
		if err := do(from, "MIGRATE", "127.0.0.1", to.port, "", 0, 5000, "KEYS", keys[0]); err != nil {
			return err
		}
	}
	for _, n := range []*server{to, from} { // the new one first, so that it is owned by one at least
		if err := do(n, "CLUSTER", "SETSLOT", slot, "NODE", toID); err != nil {
			return err
		}
	}
	return nil
}
