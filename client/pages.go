package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/url"
	"strconv"
)

// largestPage is the largest limit that the server takes.
const largestPage = 1000

// pages walks a list cursor by cursor. A page is fetched when the first of its
// items is asked for; an error is yielded once, as the last pair.
func pages[T any](ctx context.Context, fetch func(ctx context.Context, cursor string) ([]T, string, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		for cursor := ""; ; {
			items, next, err := fetch(ctx, cursor)
			if err != nil {
				yield(none, err)
				return
			}
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			switch next {
			case "":
				return
			case cursor:
				yield(none, fmt.Errorf("the list does not advance: cursor %q came back", cursor))
				return
			}
			cursor = next
		}
	}
}

// list fetches one page of any of the API's lists.
func list[T any](ctx context.Context, c *Client, path string, query url.Values, cursor string) ([]T, string, error) {
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	var page struct {
		Items      []T    `json:"items"`
		NextCursor string `json:"next_cursor"`
	}
	err := c.do(ctx, get(path, query), &page)
	return page.Items, page.NextCursor, err
}

func limited(query url.Values, limit int) url.Values {
	if limit > 0 {
		query.Set("limit", strconv.Itoa(limit))
	}
	return query
}

// lines decodes an NDJSON stream, one value a line, until it ends. A stream
// that was cut ends with an error, never quietly.
func lines[T any](open func() (io.ReadCloser, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		body, err := open()
		if err != nil {
			yield(none, err)
			return
		}
		defer func() { _ = body.Close() }()
		for dec := json.NewDecoder(body); ; {
			var item T
			err := dec.Decode(&item)
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(none, fmt.Errorf("the stream broke: %w", err))
				return
			}
			if !yield(item, nil) {
				return
			}
		}
	}
}
