output "table_arns" {
  description = "ARNs of the tables, by their names without prefix. Their indexes are below them: ARN/index/*."
  value = {
    notifications = aws_dynamodb_table.notifications.arn
    chunks        = aws_dynamodb_table.chunks.arn
    devices       = aws_dynamodb_table.devices.arn
    config        = aws_dynamodb_table.config.arn
    letters       = aws_dynamodb_table.letters.arn
  }
}
