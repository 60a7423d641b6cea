# The tables: ledger, devices, configuration, dead letters. docs/dynamodb.md draws their items. On demand, since pushes come in bursts.
# Indexes project keys only: whoever finds an item through one reads its present state from the table.

resource "aws_dynamodb_table" "notifications" {
  name         = "${var.prefix}-notifications"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "id"
  tags         = var.tags

  attribute {
    name = "id"
    type = "S"
  }

  attribute {
    name = "outbox"
    type = "S"
  }

  attribute {
    name = "tenant_shard"
    type = "S"
  }

  attribute {
    name = "at_id"
    type = "S"
  }

  # Accepted and not yet on the queue; sparse.
  global_secondary_index {
    name            = "outbox"
    hash_key        = "outbox"
    range_key       = "at_id"
    projection_type = "KEYS_ONLY"
  }

  # A tenant's notifications, newest first.
  global_secondary_index {
    name            = "by_tenant"
    hash_key        = "tenant_shard"
    range_key       = "at_id"
    projection_type = "KEYS_ONLY"
  }

  ttl {
    attribute_name = "expires_at"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = var.kms_key_arn
  }

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_dynamodb_table" "chunks" {
  name         = "${var.prefix}-chunks"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "pk"
  range_key    = "sk"
  tags         = var.tags

  attribute {
    name = "pk"
    type = "S"
  }

  attribute {
    name = "sk"
    type = "S"
  }

  ttl {
    attribute_name = "expires_at"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = var.kms_key_arn
  }

  lifecycle {
    prevent_destroy = true
  }
}

# Devices do not age; those that FCM calls gone are purged by Belfry after 30 days of quarantine.
resource "aws_dynamodb_table" "devices" {
  name         = "${var.prefix}-devices"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "pk"
  range_key    = "sk"
  tags         = var.tags

  attribute {
    name = "pk"
    type = "S"
  }

  attribute {
    name = "sk"
    type = "S"
  }

  attribute {
    name = "user"
    type = "S"
  }

  attribute {
    name = "id"
    type = "S"
  }

  attribute {
    name = "quarantine"
    type = "S"
  }

  attribute {
    name = "quarantined_at"
    type = "S"
  }

  # A user's devices; sparse.
  global_secondary_index {
    name            = "by_user"
    hash_key        = "user"
    range_key       = "id"
    projection_type = "KEYS_ONLY"
  }

  # What waits to be purged; sparse.
  global_secondary_index {
    name            = "quarantined"
    hash_key        = "quarantine"
    range_key       = "quarantined_at"
    projection_type = "KEYS_ONLY"
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = var.kms_key_arn
  }

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_dynamodb_table" "config" {
  name         = "${var.prefix}-config"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "kind"
  range_key    = "name"
  tags         = var.tags

  attribute {
    name = "kind"
    type = "S"
  }

  attribute {
    name = "name"
    type = "S"
  }

  # Only records of idempotency keys age, after 72 hours.
  ttl {
    attribute_name = "expires_at"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = var.kms_key_arn
  }

  lifecycle {
    prevent_destroy = true
  }
}

# Dead letters with their books and journals. Parked letters do not age; purged ones and journals do.
resource "aws_dynamodb_table" "letters" {
  name         = "${var.prefix}-letters"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "pk"
  range_key    = "sk"
  tags         = var.tags

  attribute {
    name = "pk"
    type = "S"
  }

  attribute {
    name = "sk"
    type = "S"
  }

  attribute {
    name = "at"
    type = "S"
  }

  attribute {
    name = "arrival"
    type = "S"
  }

  attribute {
    name = "grp"
    type = "S"
  }

  attribute {
    name = "ntf"
    type = "S"
  }

  attribute {
    name = "rpl"
    type = "S"
  }

  attribute {
    name = "done_shard"
    type = "S"
  }

  attribute {
    name = "done_at"
    type = "S"
  }

  # All letters in the order of arrival, what is done apart.
  global_secondary_index {
    name            = "arrival"
    hash_key        = "arrival"
    range_key       = "at"
    projection_type = "KEYS_ONLY"
  }

  # Those of one cause, tenant and queue.
  global_secondary_index {
    name            = "by_group"
    hash_key        = "grp"
    range_key       = "at"
    projection_type = "KEYS_ONLY"
  }

  # Those of one notification or batch; sparse.
  global_secondary_index {
    name            = "by_notification"
    hash_key        = "ntf"
    range_key       = "at"
    projection_type = "KEYS_ONLY"
  }

  # Those that a replay claimed last; sparse.
  global_secondary_index {
    name            = "by_replay"
    hash_key        = "rpl"
    range_key       = "at"
    projection_type = "KEYS_ONLY"
  }

  # What waits to be purged; sparse.
  global_secondary_index {
    name            = "done"
    hash_key        = "done_shard"
    range_key       = "done_at"
    projection_type = "KEYS_ONLY"
  }

  ttl {
    attribute_name = "expires_at"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = var.kms_key_arn
  }

  lifecycle {
    prevent_destroy = true
  }
}
