output "events_topic_arn" {
  description = "Where other services publish requests."
  value       = aws_sns_topic.events.arn
}

output "outcomes_topic_arn" {
  description = "Where Belfry publishes outcomes; subscribe to it."
  value       = aws_sns_topic.outcomes.arn
}
