package store

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// versionField counts the changes of the route table.
const versionField = "@version"

// Routes reads the route table: owner by route, and its version.
func (s *Store) Routes(ctx context.Context) (routes map[string]string, version string, err error) {
	routes, err = ask(ctx, s, redis.NewMapStringStringCmd(ctx, "HGETALL", s.keys.Routes()))
	if err != nil {
		return nil, "", err
	}
	version = routes[versionField]
	delete(routes, versionField)
	if version == "" {
		version = "0"
	}
	return routes, version, nil
}

// PublishRoutes writes routes into the table if its version is still the given
// one, and reports whether it was. An empty owner removes a route.
func (s *Store) PublishRoutes(ctx context.Context, version string, routes map[string]string) (bool, error) {
	args := []any{s.keys.Notices(), version}
	for route, owner := range routes {
		args = append(args, route, owner)
	}
	v, err := s.eval(ctx, routesScript, []string{s.keys.Routes()}, args...)
	return integer(v) == 1, err
}
