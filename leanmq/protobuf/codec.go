// Package protobuf encodes values of package leanmq with protocol buffers:
//
//	mq, err := leanmq.Open(ctx, url, leanmq.Codecs(protobuf.Codec))
//	id, err := orders.SendValue(ctx, &pb.Order{…})
//	err = orders.Consume(ctx, leanmq.Typed(func(ctx context.Context, o *pb.Order, m *leanmq.Message) error { … }))
package protobuf

import (
	"fmt"
	"reflect"

	"google.golang.org/protobuf/proto"

	"github.com/leanmq/leanmq/leanmq"
)

// Codec is the codec named "protobuf", in the binary format. It encodes messages
// (*pb.Order) and decodes into them or into pointers to them (**pb.Order, for
// which it makes a new message); any other type is an error.
var Codec leanmq.Codec = codec{}

type codec struct{}

func (codec) Name() string { return "protobuf" }

func (codec) Marshal(v any) ([]byte, error) {
	m, ok := v.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("the value is a %T: want a proto.Message", v)
	}
	if to := reflect.ValueOf(v); to.Kind() == reflect.Pointer && to.IsNil() {
		return nil, fmt.Errorf("the value is a nil %T", v)
	}
	return proto.Marshal(m)
}

func (codec) Unmarshal(data []byte, v any) error {
	if m, ok := v.(proto.Message); ok {
		return proto.Unmarshal(data, m)
	}
	to := reflect.ValueOf(v)
	if to.Kind() == reflect.Pointer && !to.IsNil() && to.Elem().Kind() == reflect.Pointer {
		fresh := reflect.New(to.Elem().Type().Elem())
		if m, ok := fresh.Interface().(proto.Message); ok {
			if err := proto.Unmarshal(data, m); err != nil {
				return err
			}
			to.Elem().Set(fresh)
			return nil
		}
	}
	return fmt.Errorf("the target is a %T: want a proto.Message or a pointer to one", v)
}
