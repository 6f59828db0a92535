"""The report: facts as JSON values, arranged as a document, written as JSON, Markdown and one HTML file."""

from firmware_flows.reporting.arrange import arrange
from firmware_flows.reporting.html_page import to_html
from firmware_flows.reporting.markdown import to_markdown

__all__ = ["arrange", "to_html", "to_markdown"]
