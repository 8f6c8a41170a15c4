"""Where orgs tell that users' access has ended: public paths of their own, apart from every route.

Whoever reaches the public port reaches these as well. So what a stranger sends is bounded in size, time and number,
and costs a signature check only as often as ``allowance`` lets it.
"""
