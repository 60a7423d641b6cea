# The queues of the pipeline, each with its dead-letter queue and three alarms. Names and attributes are those that
# `belfry provision` makes; `go test ./infra/...` compares them.

locals {
  # After how long waiting somebody should look. Messages that wait on purpose (a delay, an open breaker) are sent
  # anew and have no age.
  queues = {
    "events"            = { age_alarm_seconds = 300 }
    "notifications"     = { age_alarm_seconds = 300 }
    "deliveries-high"   = { age_alarm_seconds = 60 }
    "deliveries-bulk"   = { age_alarm_seconds = 3600 }
    "deliveries-replay" = { age_alarm_seconds = 3600 }
  }
}

# A DLQ keeps a letter for 14 days, SQS's longest. `dlq-replayer drain` moves letters to the dead-letter store long before.
resource "aws_sqs_queue" "dead_letters" {
  for_each = local.queues

  name                       = "${var.prefix}-${each.key}-dlq"
  message_retention_seconds  = 1209600 # 14 days
  visibility_timeout_seconds = 30
  max_message_size           = 1048576
  sqs_managed_sse_enabled    = var.kms_key_id == null ? true : null
  kms_master_key_id          = var.kms_key_id
  tags                       = var.tags
}

# Standard queues: Belfry needs no order, and the message group (the tenant) makes them fair.
resource "aws_sqs_queue" "source" {
  for_each = local.queues

  name                       = "${var.prefix}-${each.key}"
  message_retention_seconds  = 345600 # 4 days
  visibility_timeout_seconds = 30
  max_message_size           = 1048576
  sqs_managed_sse_enabled    = var.kms_key_id == null ? true : null
  kms_master_key_id          = var.kms_key_id
  tags                       = var.tags

  # A backstop for messages that crash workers. Whatever Belfry gives up it puts on the DLQ itself, with the reason.
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters[each.key].arn
    maxReceiveCount     = 20
  })
}

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  for_each = local.queues

  alarm_name          = "${aws_sqs_queue.dead_letters[each.key].name}-depth"
  alarm_description   = "Dead letters on ${aws_sqs_queue.dead_letters[each.key].name}: see what they have in common with dlq-replayer, and whether drain runs."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.dead_letters[each.key].name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching" # an idle queue reports nothing
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
  tags                = var.tags
}

resource "aws_cloudwatch_metric_alarm" "dead_letter_age" {
  for_each = local.queues

  alarm_name          = "${aws_sqs_queue.dead_letters[each.key].name}-age"
  alarm_description   = "A letter on ${aws_sqs_queue.dead_letters[each.key].name} is ${var.dead_letter_age_alarm_days} days old and is lost after 14: start dlq-replayer drain."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateAgeOfOldestMessage"
  dimensions          = { QueueName = aws_sqs_queue.dead_letters[each.key].name }
  statistic           = "Maximum"
  period              = 3600
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.dead_letter_age_alarm_days * 86400
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
  tags                = var.tags
}

resource "aws_cloudwatch_metric_alarm" "age" {
  for_each = local.queues

  alarm_name          = "${aws_sqs_queue.source[each.key].name}-age"
  alarm_description   = "The oldest message on ${aws_sqs_queue.source[each.key].name} waits too long: too few workers, or they are stuck."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateAgeOfOldestMessage"
  dimensions          = { QueueName = aws_sqs_queue.source[each.key].name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 5
  datapoints_to_alarm = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = lookup(var.age_alarm_seconds, each.key, each.value.age_alarm_seconds)
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
  tags                = var.tags
}
