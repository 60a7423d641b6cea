// Package outage runs real processes on the stand-ins for AWS while one service
// behind them is silent, away or throttled, and holds what they do and answer
// against what is promised: sending goes on seconds after, requests are answered
// within their budget, nothing that passes by itself is called internal.
package outage
