package protobuf_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/leanmq/protobuf"
)

func TestMain(m *testing.M) { redistest.Main(m) }

func TestValuesArrive(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq, err := leanmq.Open(t.Context(), url, leanmq.Codecs(protobuf.Codec))
		if err != nil {
			t.Fatal(err)
		}
		defer mq.Close()
		sent, err := structpb.NewStruct(map[string]any{"id": 7, "tags": []any{"a", "b"}})
		if err != nil {
			t.Fatal(err)
		}
		q := mq.Queue("jobs")
		if _, err := q.SendValue(t.Context(), sent); err != nil {
			t.Fatal(err)
		}
		if _, err := q.SendValue(t.Context(), "text"); !errors.Is(err, leanmq.ErrInvalid) || !strings.Contains(err.Error(), "string") {
			t.Errorf("a string is sent: %v", err)
		}
		ctx, stop := context.WithTimeout(t.Context(), 15*time.Second)
		defer stop()
		handled := false
		err = q.Consume(ctx, leanmq.Typed(func(_ context.Context, got *structpb.Struct, m *leanmq.Message) error {
			defer stop()
			handled = true
			if !proto.Equal(got, sent) || m.Header[":codec"] != "protobuf" {
				t.Errorf("%v, %v", got, m.Header)
			}
			return nil
		}))
		if err != nil || !handled {
			t.Error(handled, err)
		}
	})
}

func TestCodec(t *testing.T) {
	data, err := protobuf.Codec.Marshal(wrapperspb.String("x"))
	if err != nil {
		t.Fatal(err)
	}
	var into wrapperspb.StringValue
	var pointer *wrapperspb.StringValue
	for _, to := range []any{&into, &pointer} {
		if err := protobuf.Codec.Unmarshal(data, to); err != nil {
			t.Fatal(err)
		}
	}
	if into.Value != "x" || pointer.GetValue() != "x" {
		t.Error(into.Value, pointer)
	}
	before := pointer
	if err := protobuf.Codec.Unmarshal([]byte{0xff}, &pointer); err == nil || pointer != before {
		t.Errorf("garbage: %v, %v", pointer, err)
	}
	var text string
	var plain *string
	for _, to := range []any{text, &text, &plain, nil, (**wrapperspb.StringValue)(nil)} {
		if err := protobuf.Codec.Unmarshal(data, to); err == nil {
			t.Errorf("decodes into %T", to)
		}
	}
	for _, v := range []any{nil, "x", (*wrapperspb.StringValue)(nil)} {
		if _, err := protobuf.Codec.Marshal(v); err == nil {
			t.Errorf("encodes %T", v)
		}
	}
}

func Example() {
	ctx := context.Background()
	mq, err := leanmq.Open(ctx, "mem://", leanmq.Codecs(protobuf.Codec))
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = mq.Close() }()
	names := mq.Queue("names")
	if _, err := names.SendValue(ctx, wrapperspb.String("Ada")); err != nil {
		log.Fatal(err)
	}
	for m, err := range names.Waiting(ctx) {
		var name *wrapperspb.StringValue
		if err == nil {
			err = m.Decode(&name)
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(m.Header[":codec"], name.GetValue())
	}
	// Output: protobuf Ada
}
