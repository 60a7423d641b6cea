package telemetry

import (
	"context"

	"go.uber.org/zap"
)

type caller struct{}

// By returns a context in which somebody asks for something: the name or id of whoever it is.
func By(ctx context.Context, who string) context.Context {
	return context.WithValue(ctx, caller{}, who)
}

// Who is who asked for what is done under ctx: the key by, and no key if nobody did.
func Who(ctx context.Context) zap.Field {
	who, _ := ctx.Value(caller{}).(string)
	if who == "" {
		return zap.Skip()
	}
	return zap.String("by", who)
}
