# SPDX-License-Identifier: MIT
"""A catalogue behind a small web server: web_app.py flask|bottle PORT ITEMS. Each item is an object
with texts, tags and links to others, as a shop's cache would hold; a request walks some of them."""
import json, sys
import wsgiref.simple_server


class Item:
    def __init__(self, number, count):
        self.number = number
        self.name = "item %d" % number
        self.words = ["word%d" % ((number * 7 + k * 13) % 5000) for k in range(8)]
        self.price = {"net": number % 997 + 0.5, "tax": 19, "currency": "EUR"}
        self.related = [(number * 31 + k * 101) % count for k in range(1, 9)]
        self.views = 0


def answer(items, number):
    item = items[number]
    item.views += 1
    related = [items[other] for other in item.related]
    return json.dumps({
        "number": item.number, "name": item.name, "views": item.views,
        "words": sorted(set(item.words)), "price": item.price,
        "related": [{"name": other.name, "gross": other.price["net"] * 1.19}
                    for other in sorted(related, key=lambda other: other.price["net"])]})


def run_flask(items, port):
    import flask
    from werkzeug.serving import WSGIRequestHandler
    app = flask.Flask("catalogue")

    @app.route("/item/<int:number>")
    def item(number):
        return flask.Response(answer(items, number), mimetype="application/json")

    class Quiet(WSGIRequestHandler):
        def log_request(self, *args, **kwargs):
            pass

    app.run("127.0.0.1", port, threaded=False, request_handler=Quiet)


def run_bottle(items, port):
    import bottle
    app = bottle.Bottle()

    @app.route("/item/<number:int>")
    def item(number):
        bottle.response.content_type = "application/json"
        return answer(items, number)

    class Quiet(wsgiref.simple_server.WSGIRequestHandler):
        def log_request(self, *args, **kwargs):
            pass

    wsgiref.simple_server.make_server("127.0.0.1", port, app, handler_class=Quiet).serve_forever()


def main():
    kind, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    items = [Item(number, count) for number in range(count)]
    {"flask": run_flask, "bottle": run_bottle}[kind](items, port)


main()
