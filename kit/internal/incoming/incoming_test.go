package incoming

import (
	"testing"

	"google.golang.org/grpc/metadata"
)

func TestItIsReadWhereItLies(t *testing.T) {
	md := metadata.Pairs("once", "1", "twice", "1", "twice", "2")
	ctx := metadata.NewIncomingContext(t.Context(), md)
	if got := MD(ctx); len(got) != 2 {
		t.Fatalf("got %v", got)
	}
	if Value(ctx, "once") != "1" || Value(ctx, "twice") != "" || Value(ctx, "never") != "" || MD(t.Context()) != nil {
		t.Error("the values are not those that came")
	}
	if n := testing.AllocsPerRun(100, func() { _ = Value(ctx, "never") }); n != 0 {
		t.Errorf("asking takes %v allocations", n)
	}
}
