"""The pages and the API that the team works with, in the browser."""
