package redistest

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

func launchSentinel(binary, dir string) (_ *sentinel, err error) {
	s := &sentinel{}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	for i := range 1 + sentinelReplicas {
		args := []string{"--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"}
		if i > 0 {
			args = append(args, "--replicaof", "127.0.0.1 "+strconv.Itoa(s.servers[0].port))
		}
		// A configuration file, because sentinels write down who is who.
		home := filepath.Join(dir, "server"+strconv.Itoa(i))
		if err := os.Mkdir(home, 0o700); err != nil {
			return nil, err
		}
		one, err := launch(binary, home, args, freePort)
		if err != nil {
			return nil, err
		}
		s.servers = append(s.servers, one)
	}
	if err := waitFor("the replicas to be in step", s.inStep); err != nil {
		return nil, err
	}
	for tries := range 5 {
		home := filepath.Join(dir, "sentinels"+strconv.Itoa(tries))
		if err = s.launchSentinels(binary, home); !errors.Is(err, errPortTaken) {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	return s, s.waitHealthy()
}

// launchSentinels starts sentinels that know each other from the beginning: to find
// each other takes them seconds. So all ports are chosen before the first one starts,
// and somebody may have got one of them until its own does.
func (s *sentinel) launchSentinels(binary, dir string) (err error) {
	defer func() {
		if err != nil {
			for _, one := range s.sentinels {
				one.kill()
			}
			s.sentinels = nil
		}
	}()
	var ports []int
	var ids []string
	for range sentinelCount {
		port, err := freePort()
		if err != nil {
			return err
		}
		id := make([]byte, 20)
		_, _ = rand.Read(id)
		ports, ids = append(ports, port), append(ids, hex.EncodeToString(id))
	}
	for i := range ports {
		home := filepath.Join(dir, "sentinel"+strconv.Itoa(i))
		if err := os.MkdirAll(home, 0o700); err != nil {
			return err
		}
		text := fmt.Sprintf("bind 127.0.0.1\nport %d\ndir %s\nsentinel myid %s\n"+
			"sentinel monitor %s 127.0.0.1 %d 2\nsentinel down-after-milliseconds %[4]s %[6]d\n"+
			"sentinel failover-timeout %[4]s 10000\n",
			ports[i], home, ids[i], sentinelMaster, s.servers[0].port, sentinelDown.Milliseconds())
		for j := range ports {
			if j != i {
				text += fmt.Sprintf("sentinel known-sentinel %s 127.0.0.1 %d %s\n", sentinelMaster, ports[j], ids[j])
			}
		}
		config := filepath.Join(home, "sentinel.conf")
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			return err
		}
		one := &server{binary: binary, dir: home, config: config, port: ports[i]}
		if err := one.start(); err != nil {
			return err
		}
		s.sentinels = append(s.sentinels, one)
	}
	return nil
}

func (s *sentinel) stop() {
	for _, one := range slices.Concat(s.sentinels, s.servers) {
		one.kill()
	}
}
